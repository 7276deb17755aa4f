import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { hasWorld, worldDirectory } from './world.ts';

/** Programs that judge, and the Debian packages that hold them. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  busybox: 'busybox-static',
  chromium: 'chromium',
  cpio: 'cpio',
  depmod: 'kmod',
  'docker-registry': 'docker-registry',
  gpg: 'gpg',
  openssl: 'openssl',
  pdftotext: 'poppler-utils',
  podman: 'podman',
  skopeo: 'skopeo',
  'systemd-analyze': 'systemd',
  umoci: 'umoci',
  xz: 'xz-utils',
};

/**
 * Says loudly what is missing. The suites that need nothing of it still run, but the run as a whole fails: a green run
 * that tested nothing would be a lie.
 */
export function setup(): () => void {
  const missing = findMissing();
  if (missing.length === 0) return () => undefined;
  const line = '='.repeat(78);
  console.error(
    [line, 'THE WORLD IS NOT COMPLETE: run "npm run world" as root', ...missing, line].join('\n'),
  );
  return () => {
    console.error(
      `${line}\nThis run fails, since the world was not complete:\n${missing.join('\n')}\n${line}`,
    );
    process.exitCode = 1;
  };
}

function findMissing(): readonly string[] {
  const missing = Object.entries(PROGRAMS)
    .filter(([program]) => !isInPath(program))
    .map(([program, debPackage]) => `  the program ${program} (package ${debPackage})`);
  if (!hasWorld()) missing.push(`  the world itself: ${worldDirectory()}/world.json`);
  return missing;
}

function isInPath(program: string): boolean {
  const directories = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`.split(':');
  return directories.some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
