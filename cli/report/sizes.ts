const UNITS = ['kB', 'MB', 'GB', 'TB'] as const;

/** `1.2 GB`, in powers of ten as registries and disks count. */
export function formatSize(sizeBytes: number): string {
  if (sizeBytes < 1000) return `${sizeBytes} B`;
  let size = sizeBytes / 1000;
  let unit: string = UNITS[0];
  for (const next of UNITS.slice(1)) {
    if (size < 999.95) break;
    size /= 1000;
    unit = next;
  }
  return `${size.toFixed(size < 10 ? 1 : 0)} ${unit}`;
}

/** `0.3 s`, `41 s` or `2 min 5 s`. */
export function formatDuration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
