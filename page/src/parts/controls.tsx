/** Sliders, switches and rows of buttons. */

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface SliderProps {
  symbol: string;
  name: string;
  value: number;
  least: number;
  most: number;
  step: number;
  /** Where it stood in training: a mark, and a way back. */
  trained?: number;
  help: string;
  disabled?: boolean;
  onChange: (value: number) => void;
}

export function Slider({ symbol, name, value, least, most, step, trained, help, disabled, onChange }: SliderProps) {
  const id = useId();
  const digits = step < 1 ? 2 : 0;
  const place = (at: number) => (at - least) / (most - least);
  const changed = trained !== undefined && Math.abs(trained - value) > step / 2;
  return (
    <div class="slider">
      <label for={id}>
        <i>{symbol}</i> <b>{name}</b>
        <output>{value.toFixed(digits)}</output>
      </label>
      <input
        id={id}
        type="range"
        min={least}
        max={most}
        step={step}
        value={value}
        disabled={disabled ?? false}
        aria-describedby={`${id}-help`}
        style={{ "--at": place(value) }}
        onInput={(event) => onChange(event.currentTarget.valueAsNumber)}
      />
      {trained !== undefined && <span class="mark" aria-hidden="true" style={{ "--at": place(trained) }} />}
      <p id={`${id}-help`}>
        {help}{" "}
        {changed && (
          <button type="button" class="link" onClick={() => onChange(trained)}>
            back to {trained.toFixed(digits)}
          </button>
        )}
      </p>
    </div>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  options: readonly (readonly [T, string])[];
  value: T | null;
  onChange: (value: T) => void;
}

/** One of a few that belong together. */
export function Segments<T extends string>({ label, options, value, onChange }: ChoiceProps<T>) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {options.map(([key, text]) => (
        <button key={key} type="button" aria-pressed={key === value} onClick={() => onChange(key)}>
          {text}
        </button>
      ))}
    </div>
  );
}

/** One of some ready-made settings or examples. */
export function Presets<T extends string>({ label, options, value, onChange }: ChoiceProps<T>) {
  return (
    <div class="presets" role="group" aria-label={label}>
      {options.map(([key, text]) => (
        <button key={key} type="button" aria-pressed={key === value} onClick={() => onChange(key)}>
          {text}
        </button>
      ))}
    </div>
  );
}

interface SwitchProps {
  label: string;
  on: boolean;
  help: string;
  onChange: (on: boolean) => void;
}

export function Switch({ label, on, help, onChange }: SwitchProps) {
  const id = useId();
  return (
    <div class="switch">
      <button type="button" role="switch" aria-checked={on} aria-describedby={id} onClick={() => onChange(!on)}>
        <span class="track" aria-hidden="true" />
        {label}
      </button>
      <p id={id}>{help}</p>
    </div>
  );
}

interface SectionProps {
  number?: number;
  title: string;
  lead?: ComponentChildren;
  children: ComponentChildren;
}

export function Section({ number, title, lead, children }: SectionProps) {
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>
        {number && <span class="number">{number}</span>}
        {title}
      </h2>
      {lead && <p class="lead">{lead}</p>}
      {children}
    </section>
  );
}
