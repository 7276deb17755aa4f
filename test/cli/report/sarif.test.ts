import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAYER_RULE_TEXTS } from '../../../cli/report/layer-rule-texts.ts';
import { lintSarif } from '../../../cli/report/sarif/lint-sarif.ts';
import { verifySarif } from '../../../cli/report/sarif/verify-sarif.ts';
import type { ManifestFinding } from '../../../src/verify/manifest/finding.ts';
import { CHECK_IDS } from '../../../src/verify/report.ts';
import {
  bootOf,
  brokenIceOf,
  digestOf,
  moduleOf,
  targetOf,
  verifyReportOf,
  withTexts,
} from '../../support/verify-reports.ts';

const OPTIONS = { toolVersion: '1.2.3', verb: 'verify' };

/** The schema that OASIS published, as a package of Microsoft ships it. */
function schemaCheck(): (log: unknown) => string {
  const file = createRequire(import.meta.url).resolve(
    '@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json',
  );
  const { $schema, id, ...schema } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  expect([$schema, id]).toEqual([expect.stringContaining('draft-04'), expect.stringContaining('sarif')]);
  const ajv = new Ajv({
    strict: false,
    // One pattern of the schema is none under the stricter rules.
    unicodeRegExp: false,
    formats: {
      uri: (text: string) => URL.canParse(text),
      'uri-reference': (text: string) => /^[\w\-.~:/?#[\]@!$&'()*+,;=%]*$/.test(text),
      'date-time': (text: string) => !Number.isNaN(Date.parse(text)),
    },
  });
  const validate = ajv.compile(schema);
  return (log) => (validate(JSON.parse(JSON.stringify(log))) ? '' : ajv.errorsText(validate.errors));
}

const problemsOf = schemaCheck();

function resultsOf(log: ReturnType<typeof verifySarif>): (typeof log.runs)[number]['results'] {
  return log.runs[0]!.results;
}

function manifestFinding(said: Partial<ManifestFinding>): ManifestFinding {
  return {
    rule: 'osimageurl-tag',
    severity: 'warning',
    file: '99-worker-ice.yaml',
    document: 1,
    object: 'MachineConfig 99-worker-ice',
    path: 'spec.osImageURL',
    line: 1,
    source: '',
    message: 'no',
    ...said,
  };
}

describe('verifySarif()', () => {
  it('is valid SARIF 2.1.0', () => {
    expect(problemsOf({ version: '2.1.0' })).toContain("required property 'runs'");
    expect(problemsOf(verifySarif(verifyReportOf(), OPTIONS))).toBe('');
    expect(problemsOf(verifySarif({ verdict: 'passes', targets: [] }, OPTIONS))).toBe('');
  });

  it('says what fails and what warns, once for each check of a module', () => {
    const results = resultsOf(verifySarif(verifyReportOf(), OPTIONS));

    expect(results.map(({ ruleId, level }) => `${ruleId} ${level}`)).toEqual([
      'initramfs-older note',
      'vermagic warning',
      'symbols error',
      'symbol-crcs error',
      'namespaces error',
      'firmware warning',
      'dropped-path error',
      'stale-index warning',
      'boot-load error',
    ]);
    expect(results[3]!.message.text).toBe(
      [
        'ice: 2 of 17 imported symbols have another version.',
        '- ethtool_op_get_ts_info: has another version; wanted: 0x1e4c00d9; found: 0x5ad1b7f2; provider: vmlinux',
        '- ptp_clock_index: has another version; wanted: 0x77aa1204; found: 0xd3f1a7c4; provider: kernel/drivers/ptp/ptp.ko.xz',
        'Build the driver with the driver-toolkit of this release.',
      ].join('\n'),
    );
  });

  it('tells checks that could not be made from results', () => {
    const [run] = verifySarif(verifyReportOf(), OPTIONS).runs;

    expect(run!.invocations[0]!.toolExecutionNotifications).toEqual([
      expect.objectContaining({
        associatedRule: { id: 'btf', index: run!.tool.driver.rules.findIndex(({ id }) => id === 'btf') },
        message: { text: 'ice: the base has no vmlinux to compare with.' },
      }),
    ]);
  });

  it('describes each rule that it uses, and points at it', () => {
    const report = {
      verdict: 'fails' as const,
      targets: [
        targetOf({
          modules: [
            moduleOf('a', { checks: CHECK_IDS.map((id) => ({ id, status: 'fail', message: `no ${id}` })) }),
          ],
        }),
      ],
    };
    const [run] = verifySarif(report, OPTIONS).runs;
    const { rules } = run!.tool.driver;

    expect(rules.map(({ id }) => id)).toEqual([...CHECK_IDS].sort());
    for (const { ruleId, ruleIndex } of run!.results) expect(rules[ruleIndex]!.id).toBe(ruleId);
    for (const { shortDescription, fullDescription, help } of rules) {
      expect(shortDescription.text.length).toBeGreaterThan(2);
      expect(fullDescription.text).toMatch(/\.$/);
      expect(help.text).toMatch(/\.$/);
    }
  });

  it('names the file as a relative URI and the image as a logical location', () => {
    const [location] = resultsOf(verifySarif(verifyReportOf(), OPTIONS))[2]!.locations;

    expect(location).toEqual({
      physicalLocation: {
        artifactLocation: { uri: 'extra/ice/ice.ko.xz' },
        region: { startLine: 1 },
      },
      logicalLocations: [
        {
          name: `quay.example.com/acme/rhcos-telco-nic@${digestOf('c')}`,
          fullyQualifiedName: `quay.example.com/acme/rhcos-telco-nic@${digestOf('c')}`,
          kind: 'resource',
        },
        expect.objectContaining({ name: '4.19.0 6.12.94+deb12-amd64', kind: 'resource' }),
        {
          name: 'ice',
          fullyQualifiedName: `quay.example.com/acme/rhcos-telco-nic@${digestOf('c')}/4.19.0 6.12.94+deb12-amd64/ice`,
          kind: 'module',
        },
      ],
    });
  });

  it.each([
    ['oci:build/out', 'oci%3Abuild/out'],
    ['localhost:5000/a/b:v1', 'localhost%3A5000/a/b:v1'],
    ['/usr/lib/modules/6.12.94+deb12-amd64/a b.ko', 'usr/lib/modules/6.12.94+deb12-amd64/a%20b.ko'],
    ['./ice.ko', 'ice.ko'],
    ['', '.'],
    ['\ud800/x', '%EF%BF%BD/x'],
  ])('writes %s as a URI', (path, uri) => {
    const log = lintSarif(
      {
        images: [{ subject: path, findings: [{ rule: 'a', severity: 'error', message: 'no' }] }],
        manifests: [],
      },
      OPTIONS,
    );

    expect(resultsOf(log)[0]!.locations[0]!.physicalLocation.artifactLocation.uri).toBe(uri);
    expect(problemsOf(log)).toBe('');
  });

  it('gives each result a fingerprint that a rebuilt image does not change', () => {
    const again = withTexts(verifyReportOf(), (text) => text.replace(/@sha256:./, '@sha256:f'));
    const fingerprints = resultsOf(verifySarif(verifyReportOf(), OPTIONS)).map(
      (result) => result.partialFingerprints,
    );

    expect(resultsOf(verifySarif(again, OPTIONS)).map((result) => result.partialFingerprints)).toEqual(
      fingerprints,
    );
    expect(new Set(fingerprints.map((print) => print['primaryLocationLineHash'])).size).toBe(9);
  });

  it('tells two equal results apart', () => {
    const finding = manifestFinding({ file: 'a.yaml' });
    const log = lintSarif(
      {
        images: [],
        manifests: [
          { ...finding, line: 3 },
          { ...finding, line: 9 },
        ],
      },
      OPTIONS,
    );

    const [first, second] = resultsOf(log).map((result) => result.partialFingerprints['kmodlayer/v1']!);
    expect(first).toMatch(/^[0-9a-f]{32}:1$/);
    expect(second).toBe(first!.replace(':1', ':2'));
    expect(resultsOf(log).map(({ locations }) => locations[0]!.physicalLocation.region.startLine)).toEqual([
      3, 9,
    ]);
  });

  it('is never clean when the proof fails', () => {
    const report = {
      verdict: 'fails',
      targets: [targetOf({ verdict: 'fails', statement: 'no kernel' })],
    } as const;

    expect(resultsOf(verifySarif(report, OPTIONS))).toEqual([
      expect.objectContaining({ ruleId: 'verdict', level: 'error', message: { text: 'no kernel' } }),
    ]);
  });

  it('says when a booted kernel takes what it must refuse', () => {
    const boot = bootOf({
      verdict: 'fails',
      controls: [{ name: 'ice', kind: 'unsigned', outcome: 'loaded', messages: ['it is there'] }],
    });

    expect(
      resultsOf(verifySarif({ verdict: 'fails', targets: [targetOf({ verdict: 'fails', boot })] }, OPTIONS)),
    ).toEqual([
      expect.objectContaining({
        ruleId: 'boot-control',
        message: { text: 'ice: the booted kernel accepted the copy that is unsigned.\nit is there' },
      }),
    ]);
  });

  it('lists some details and counts the others', () => {
    const details = Array.from({ length: 100 }, (_, index) => ({ subject: `s${index}`, message: 'missing' }));
    const module = moduleOf('a', { checks: [{ id: 'symbols', status: 'fail', message: 'no', details }] });
    const text = resultsOf(
      verifySarif({ verdict: 'fails', targets: [targetOf({ modules: [module] })] }, OPTIONS),
    )[0]!.message.text;

    expect(text.split('\n')).toHaveLength(14);
    expect(text).toMatch(/- and 88 more$/);
  });

  it('stays valid and makes no link, whatever modules call themselves', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (hostile) => {
        const log = verifySarif(
          withTexts(verifyReportOf(), (text) => `${text}[a](https://example.com)${hostile}`),
          OPTIONS,
        );

        expect(problemsOf(log)).toBe('');
        for (const { message } of resultsOf(log)) {
          expect(message.text).not.toContain('](');

          expect(message.text).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('keeps a message within what is shown', () => {
    const module = moduleOf('a', { checks: [{ id: 'elf', status: 'fail', message: 'x'.repeat(100_000) }] });
    const [result] = resultsOf(
      verifySarif({ verdict: 'fails', targets: [targetOf({ modules: [module, brokenIceOf()] })] }, OPTIONS),
    );

    expect(result!.message.text.length).toBeLessThanOrEqual(4004);
  });
});

describe('verifySarif() of targets without a proof', () => {
  it('says why', () => {
    const log = verifySarif(
      { verdict: 'fails', targets: [], unproven: [{ subject: '4.18.9', message: 'no such release' }] },
      { ...OPTIONS, verb: 'build' },
    );

    expect(problemsOf(log)).toBe('');
    expect(log.runs[0]!.automationDetails.id).toBe('kmodlayer/build/');
    expect(resultsOf(log)).toEqual([
      expect.objectContaining({
        ruleId: 'verdict',
        level: 'error',
        message: { text: '4.18.9: no such release' },
      }),
    ]);
  });
});

describe('rules of layers', () => {
  it('have texts, each of those in src/verify and no others', () => {
    const files = readdirSync('src/verify', { recursive: true, withFileTypes: true }).filter(
      ({ name, parentPath }) => name.endsWith('.ts') && !parentPath.includes('manifest'),
    );
    const sources = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'));
    const missing = [...LAYER_RULE_TEXTS.keys()].filter(
      (rule) => !sources.some((source) => source.includes(`'${rule}'`)),
    );
    const unknown = sources
      .flatMap((source) => [...source.matchAll(/rule: '([a-z-]+)'/g)].map((match) => match[1]!))
      .filter((rule) => !LAYER_RULE_TEXTS.has(rule));

    expect({ missing, unknown }).toEqual({ missing: [], unknown: [] });
  });
});

describe('lintSarif()', () => {
  it('is valid, names the rule and is a category of its own', () => {
    const log = lintSarif(
      {
        images: [{ subject: 'quay.io/a/clean:v1', findings: [] }],
        manifests: [
          manifestFinding({
            file: 'manifests/99-worker.yaml',
            line: 7,
            message: 'a tag is never pulled again',
            hint: 'Write a digest.',
          }),
        ],
      },
      OPTIONS,
    );
    const [run] = log.runs;

    expect(problemsOf(log)).toBe('');
    expect(run!.automationDetails.id).toBe('kmodlayer/lint/');
    expect(run!.tool.driver.rules.map(({ id }) => id)).toEqual(['osimageurl-tag']);
    expect(run!.results[0]).toMatchObject({
      ruleId: 'osimageurl-tag',
      level: 'warning',
      message: {
        text: 'MachineConfig 99-worker-ice, spec.osImageURL: a tag is never pulled again.\nWrite a digest.',
      },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'manifests/99-worker.yaml' },
            region: { startLine: 7 },
          },
          logicalLocations: [{ name: 'MachineConfig 99-worker-ice', kind: 'resource' }],
        },
      ],
    });
  });
});
