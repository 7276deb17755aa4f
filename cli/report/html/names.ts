import type { TargetReport } from '../../../src/verify/report.ts';

/** An image with the first digits of its digest, for places where the whole name stands nearby. */
export function shortSubject(subject: string): string {
  return subject.replace(/@sha256:([0-9a-f]{8})[0-9a-f]{56}$/, '@$1…');
}

/** What people call the target: its release, or else the last part of the name of the image or directory. */
export function targetName({ release, subject, kernel, arch }: TargetReport): string {
  const last = shortSubject(subject).split('/').at(-1) ?? '';
  return `${release ?? (last === '' ? kernel : last)} ${arch}`;
}
