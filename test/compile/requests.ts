import type { CompileRequest } from '../../src/compile/compile.ts';
import { parseDigest } from '../../src/oci/digest.ts';
import type { Target } from '../../src/resolve/target.ts';
import type { Driver, DriverBuild } from '../../src/spec/driver-set.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { parseModuleName } from '../../src/spec/module-name.ts';

export const RUN: Extract<DriverBuild, { type: 'run' }> = {
  type: 'run',
  command: 'make',
  workdir: undefined,
  args: {},
  secrets: [],
  output: undefined,
};

/** A driver of the modules `kl_hello` and `kl_base`. */
export function makeDriver(changes: Partial<Driver> = {}): Driver {
  const modules = ['kl_hello', 'kl_base'].map((name) => ({
    name: parseModuleName(name),
    autoload: false,
    replaces: [],
    parameters: {},
  }));
  return {
    name: 'hello',
    version: '1.0.0',
    source: { type: 'directory', path: 'hello' },
    build: RUN,
    modules,
    softdeps: [],
    firmware: undefined,
    dependsOn: [],
    ...changes,
  };
}

export function makeRequest(build: DriverBuild | undefined, changes: Partial<Driver> = {}): CompileRequest {
  const digest = parseDigest(`sha256:${'a'.repeat(64)}`);
  const reference = { transport: 'docker', host: 'quay.example.com', repository: 'dtk', digest } as const;
  const kernel = parseKernelRelease('5.14.0-427.50.1.el9_4.x86_64+rt');
  const driverToolkit: Target['driverToolkit'] = {
    reference,
    location: reference,
    digest,
    name: 'driver-toolkit',
    kernel,
    rtKernel: undefined,
    rhelVersion: '9.4',
  };
  return {
    set: { file: '/specs/kmodlayer.yaml' },
    driver: makeDriver({ build, ...changes }),
    kernel,
    arch: 'x86_64',
    target: { driverToolkit, rhelVersion: '9.4' },
  };
}
