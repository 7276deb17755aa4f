import { MANIFEST_RULE_IDS, type ManifestRuleId } from '../../src/verify/manifest/rule-ids.ts';
import type { RuleText } from './check-texts.ts';
import { FILE_TEXTS } from './manifest-rules/file-texts.ts';
import { NODE_TEXTS } from './manifest-rules/node-texts.ts';
import { OBJECT_TEXTS } from './manifest-rules/object-texts.ts';
import type { Text } from './manifest-rules/text.ts';

/** What a rule of manifests is about, and what comes of breaking it. */
export interface ManifestRuleText extends RuleText {
  /** One or two sentences. */
  readonly why: string;
}

const TEXTS: Readonly<Record<ManifestRuleId, Text>> = { ...OBJECT_TEXTS, ...FILE_TEXTS, ...NODE_TEXTS };

/** Texts of each rule of manifests. */
export const MANIFEST_RULE_TEXTS: ReadonlyMap<string, ManifestRuleText> = new Map(
  MANIFEST_RULE_IDS.map((rule) => {
    const [title, holds, why, help] = TEXTS[rule];
    return [rule, { title, holds, why, help }];
  }),
);
