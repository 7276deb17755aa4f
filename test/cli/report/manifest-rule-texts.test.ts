import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MANIFEST_RULE_TEXTS } from '../../../cli/report/manifest-rule-texts.ts';
import { MANIFEST_RULE_IDS } from '../../../src/verify/manifest/rule-ids.ts';

const HEADING = '## Rules of manifests\n';

describe('MANIFEST_RULE_TEXTS', () => {
  it('says of each rule what holds, why, and what to do, in sentences', () => {
    expect([...MANIFEST_RULE_TEXTS.keys()]).toEqual(MANIFEST_RULE_IDS);
    for (const { title, holds, why, help } of MANIFEST_RULE_TEXTS.values()) {
      expect(title.length).toBeGreaterThan(2);
      for (const text of [holds, why, help]) expect(text).toMatch(/^[A-Za-z0-9$/].*\.$/);
    }
  });

  it('is what docs/lint.md lists: npx vitest run test/cli/report/manifest-rule-texts.test.ts -u', async () => {
    const [before] = readFileSync('docs/lint.md', 'utf8').split(HEADING);
    const rules = [...MANIFEST_RULE_TEXTS].map(
      ([rule, { holds, why, help }]) => `### ${rule}\n\n${holds} ${why}\n\n_Fix:_ ${help}\n`,
    );

    await expect(`${before ?? ''}${HEADING}\n${rules.join('\n')}`).toMatchFileSnapshot(
      '../../../docs/lint.md',
    );
  });

  it('has rules that are used, and no others', () => {
    const sources = readdirSync('src/verify/manifest/rules', { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(`src/verify/manifest/rules/${name}`, 'utf8'));

    const unused = MANIFEST_RULE_IDS.filter(
      (rule) => !sources.some((source) => source.includes(`'${rule}'`)),
    );
    expect(unused).toEqual([]);
  });
});
