"""`fastweights doctor`: which backends run here, and whether they are right."""

from __future__ import annotations

from dataclasses import dataclass

from fastweights.cli.console import print_json, print_table, say


@dataclass(frozen=True)
class Doctor:
    """Show which backend runs each op here and why, and hold its kernels against the reference on this machine."""

    json: bool = False
    """Print the findings as one JSON object."""

    def run(self) -> int:
        from fastweights.io.showing import shown
        from fastweights.ops.doctor import FORMS, LIMIT, examine

        findings = []
        with shown("kernels against the reference", "forms", len(FORMS)) as on_progress:
            for finding in examine():
                findings.append(finding)
                on_progress(len({each.form for each in findings}))
        healthy = all(each.healthy for each in findings)
        if self.json:
            rows = [each._asdict() | {"healthy": each.healthy} for each in findings]
            print_json({"findings": rows, "limit": LIMIT, "healthy": healthy})
            return 0 if healthy else 1
        rows = [(each.form, each.device, each.backend, _checked(each.errors)) for each in findings]
        columns = ("what", "device", "runs", "differs from the reference")
        print_table(f"backends (limit {LIMIT:.0e}, float32)", columns, rows)
        for line in dict.fromkeys(
            f"{each.form} on {each.device}: {name} is passed over: {reason}"
            for each in findings
            for name, reason in each.passed_over.items()
        ):
            print(line)
        if not healthy:
            say("a backend differs from the reference: ask for backend='reference', and report it")
        return 0 if healthy else 1


def _checked(errors: dict[str, float | None]) -> str:
    shown = (
        f"{name}: did not run" if error is None else f"{name}: {error:.1e}"
        for name, error in errors.items()
    )
    return ", ".join(shown) or "no kernels here"
