export function MemoryView() {
  return <p>memory</p>;
}
