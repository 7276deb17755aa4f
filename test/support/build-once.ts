import { execFileSync } from 'node:child_process';

/** Builds what suites run as users do, once for all of them. */
export function setup(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: ['ignore', 'ignore', 'inherit'] });
}
