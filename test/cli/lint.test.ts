import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCli } from '../support/cli.ts';
import { machineConfig } from '../support/lint.ts';

const RELEASE = 'oci:fixtures/quickstart/release';
const OS_IMAGE = `${RELEASE}@sha256:fc207f7cc069fa3f351b713153e4c31f8cf1313132809f30e2d207b25cb7371b`;
const PAYLOAD = `${RELEASE}:4.18.4`;

describe('kmodlayer lint', () => {
  it('finds nothing in an OS image', async () => {
    const { exitCode, stdout } = await runCli(['lint', OS_IMAGE]);

    expect(stdout).toBe(`${OS_IMAGE}  nothing found\n`);
    expect(exitCode).toBe(0);
  });

  it('ends with 1 and says what to do when something is an error', async () => {
    const { exitCode, stdout, stderr } = await runCli(['lint', OS_IMAGE, PAYLOAD]);

    expect(stderr).toBe('');
    expect(stdout).toMatch(/^oci:.* nothing found\n\noci:.* 1 error$/m);
    expect(stdout).toMatch(/^ {2}error kmod-image-empty {2}no file of the image is a module/m);
    expect(stdout).toMatch(/^ {4}hint: Put modules at/m);
    expect(exitCode).toBe(1);
  });

  it.each(['json', 'yaml'])('prints %s with a schema', async (format) => {
    const { stdout } = await runCli(['lint', PAYLOAD, '-o', format]);

    expect(parse(stdout)).toMatchObject({
      schema: 'kmodlayer/lint/v1',
      images: [
        {
          subject: expect.stringMatching(/@sha256:/) as unknown,
          kind: 'kmod',
          findings: [{ rule: 'kmod-image-empty', severity: 'error', path: null, layer: null }],
        },
      ],
    });
  });

  it('prints SARIF', async () => {
    const { stdout } = await runCli(['lint', PAYLOAD, '-o', 'sarif']);

    expect(JSON.parse(stdout)).toMatchObject({
      version: '2.1.0',
      runs: [{ results: [{ ruleId: 'kmod-image-empty', level: 'error' }] }],
    });
  });

  it.each([
    [['lint', 'machine-config.yaml'], 2, 'Cannot read machine-config.yaml: there is no such file'],
    [['lint', `${RELEASE}:nowhere`], 8, 'Cannot find nowhere'],
    [['lint', OS_IMAGE, '--layers', '0'], 2, 'Write a number from 1 on'],
    [['lint', 'fixtures/quickstart/release'], 2, 'Write oci:fixtures/quickstart/release'],
    [['lint', 'fixtures/help'], 2, 'Cannot find a manifest in fixtures/help'],
    [['lint', OS_IMAGE, '--pool', 'worker'], 2, 'there is no manifest among the arguments'],
    [['lint', 'fixtures/lint', '--openshift', 'four'], 2, 'Write a minor release such as 4.18'],
    [['lint', RELEASE], 8, 'Cannot choose an image in'],
  ])('%j ends with %i', async (argv, expected, message) => {
    const { exitCode, stderr } = await runCli(argv);

    expect(stderr).toContain(message);
    expect(exitCode).toBe(expected);
  });
});

describe('kmodlayer lint of manifests', () => {
  const TAGGED = 'fixtures/lint/openshift-layering-simple-kmod.yaml';

  it('prints each finding with its line and what to do', async () => {
    const { exitCode, stdout, stderr } = await runCli(['lint', TAGGED]);

    expect(stderr).toBe('');
    expect(stdout).toMatch(/^fixtures\/lint\/openshift-layering-simple-kmod.yaml {2}1 warning\n/);
    expect(stdout).toMatch(
      /^ {2}warning osimageurl-tag {2}MachineConfig 99-ybettan-external-image spec.osImageURL: /m,
    );
    expect(stdout).toMatch(/^ {4}8 \| {3}osImageURL: quay.io\/ybettan\/coreos-layering:simple-kmod$/m);
    expect(stdout).toMatch(/^ {4}hint: Write HOST\/REPOSITORY@sha256:/m);
    expect(stdout).toMatch(/^merged as these pools would: worker \(1\)$/m);
    expect(exitCode).toBe(0);
  });

  it('reads stdin, and ends with 1 on an error', async () => {
    const stdin = machineConfig('kernelType: rt');
    const { exitCode, stdout } = await runCli(['lint', '-', '--openshift', '4.18'], { stdin });

    expect(stdout).toMatch(/^-  1 error\n {2}error kernel-type-invalid /);
    expect(stdout).toMatch(/^judged for OpenShift 4.18$/m);
    expect(exitCode).toBe(1);
  });

  it('reads directories, and what of a call is an image', async () => {
    const { stdout } = await runCli(['lint', 'fixtures/lint', OS_IMAGE, '-o', 'json']);

    expect(JSON.parse(stdout)).toMatchObject({
      schema: 'kmodlayer/lint/v1',
      images: [{ subject: OS_IMAGE, findings: [] }],
      manifests: {
        files: expect.arrayContaining([TAGGED]) as unknown,
        unread: [],
        release: null,
        findings: expect.arrayContaining([
          {
            rule: 'osimageurl-tag',
            severity: 'warning',
            file: TAGGED,
            document: 1,
            object: 'MachineConfig 99-ybettan-external-image',
            path: 'spec.osImageURL',
            line: 8,
            source: '  osImageURL: quay.io/ybettan/coreos-layering:simple-kmod',
            message: expect.stringContaining('tag') as unknown,
            hint: expect.stringContaining('sha256') as unknown,
          },
        ]) as unknown,
      },
    });
  });

  it('lints the rest when a file cannot be read, and ends with 2', async () => {
    const { exitCode, stdout, stderr } = await runCli(['lint', TAGGED, '-'], { stdin: 'a: [1\nb: ]' });

    expect(stdout).toContain('osimageurl-tag');
    expect(stderr).toMatch(/Cannot lint -\n {2}-:\d: Cannot read this YAML/);
    expect(exitCode).toBe(2);
  });

  it('prints SARIF with the file and the line', async () => {
    const { stdout } = await runCli(['lint', TAGGED, '-o', 'sarif']);

    expect(JSON.parse(stdout)).toMatchObject({
      runs: [
        {
          results: [
            {
              ruleId: 'osimageurl-tag',
              locations: [
                { physicalLocation: { artifactLocation: { uri: TAGGED }, region: { startLine: 8 } } },
              ],
            },
          ],
        },
      ],
    });
  });
});
