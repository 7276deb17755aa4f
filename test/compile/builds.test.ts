import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeAssets, makeBuilds, mountSecrets } from '../../src/compile/builds.ts';
import { DRIVER_TOOLKIT_CONTAINERFILE } from '../../src/compile/dockerfiles.generated.ts';
import { makeRequest, RUN } from './requests.ts';

const INPUTS = { context: '/src', image: 'f00d', userContainerfile: undefined };
const CONTAINERFILE = {
  type: 'containerfile',
  path: 'Containerfile',
  stage: 'out',
  args: {},
  secrets: [],
  output: undefined,
} as const;

describe('makeBuilds()', () => {
  it('runs a command in the driver-toolkit, with the raw kernel release', () => {
    const [build, ...others] = makeBuilds(makeRequest(RUN), INPUTS);

    expect(others).toEqual([]);
    expect(build.context).toBe('/src');
    expect(build.args).toMatchObject({
      DTK_IMAGE: 'f00d',
      KERNEL_RELEASE: '5.14.0-427.50.1.el9_4.x86_64+rt',
      KERNEL_VERSION: '5.14.0-427.50.1.el9_4.x86_64+rt',
      RHEL_VERSION: '9.4',
      TARGET_ARCH: 'x86_64',
      MOD_NAME: 'hello',
    });
  });

  it('checks the toolchain, builds the stage of the user, then takes the modules out', () => {
    const builds = makeBuilds(makeRequest(CONTAINERFILE), {
      ...INPUTS,
      userContainerfile: 'FROM x AS out\n',
    });

    expect(builds.map(({ stage }) => stage)).toEqual(['check', 'out', undefined]);
    expect(builds[1]).toMatchObject({
      containerfile: 'FROM x AS out\n',
      isForeign: true,
      args: { DTK_AUTO: 'f00d' },
    });
    expect(builds[2]?.args['STAGE_IMAGE']).toBe('localhost/kmodlayer/build-1');
  });

  it('finds secrets from where the spec is', () => {
    const secrets = [{ id: 'key', file: 'keys/key.pem' }];

    const [build] = makeBuilds(makeRequest({ ...RUN, secrets }), INPUTS);

    expect(build.secrets).toEqual([{ id: 'key', file: '/specs/keys/key.pem' }]);
  });

  it('gives secrets to the build of the user alone', () => {
    const secrets = [{ id: 'key', file: '/key' }];

    const builds = makeBuilds(makeRequest({ ...CONTAINERFILE, secrets }), INPUTS);

    expect(builds.map((build) => build.secrets)).toEqual([[], secrets, []]);
  });

  it.each(['KERNEL_RELEASE', 'DTK_IMAGE', 'DTK_AUTO', 'KMODLAYER_OUTPUT', 'MOD_NAME'])(
    'does not let a spec set %s',
    (name) => {
      const request = makeRequest({ ...RUN, args: { [name]: 'x' } });

      expect(() => makeBuilds(request, INPUTS)).toThrow('it is set for you');
    },
  );
});

describe('makeAssets()', () => {
  it('hands the command on in a file, as it was written', () => {
    const command = 'make -C src "X=$KERNEL_RELEASE" && echo \'done\'';

    const assets = makeAssets(makeRequest({ ...RUN, command }));

    expect(assets.find(({ path }) => path === 'command.sh')?.text).toBe(`${command}\n`);
  });

  it('hands build arguments on so that a shell reads back what was written', () => {
    const value = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(value, (text) => {
        const assets = makeAssets(makeRequest({ ...RUN, args: { VALUE: text } }));
        const script = assets.find(({ path }) => path === 'arguments.sh')?.text ?? '';

        const read = execFileSync('sh', ['-c', `${script}printf %s "$VALUE"`], { encoding: 'utf8' });

        expect(read).toBe(text);
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 40) },
    );
  });

  it('brings the symbols of other drivers along', () => {
    const request = { ...makeRequest(RUN), symvers: { gnss: '0x1\tgnss_x\n' } };

    expect(makeAssets(request)).toContainEqual({ path: 'symvers/gnss.symvers', text: '0x1\tgnss_x\n' });
  });
});

describe('mountSecrets()', () => {
  it('mounts each secret in the step that runs the command of the user, and in no other', () => {
    const lines = mountSecrets(DRIVER_TOOLKIT_CONTAINERFILE, ['a', 'b.pem']).split('\n');

    expect(lines.filter((line) => line.includes('--mount'))).toEqual([
      'RUN --mount=type=secret,id=a --mount=type=secret,id=b.pem sh /kmodlayer/bin/build-driver.sh',
    ]);
  });

  it.each(['a b', 'a,target=/etc/passwd', 'a\nRUN x', '', '-a'])('refuses id %j', (id) => {
    expect(() => mountSecrets(DRIVER_TOOLKIT_CONTAINERFILE, [id])).toThrow('Cannot use secret id');
  });
});
