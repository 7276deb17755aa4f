import type { Report } from '../../finding.ts';
import type { MachineConfig } from '../../machine-config.ts';
import { optionValues } from '../../unit-file.ts';
import type { ValuePath } from '../../values.ts';
import { isCommand, type Service, withoutComments } from './service.ts';

const IMAGE =
  /(?<![\w./:@$-])(?:(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?|localhost(?::\d+)?|[a-z0-9.-]+:\d+)\/[a-z0-9._/-]*[a-z0-9](?:(?::(?<tag>[\w][\w.-]*))?(?:@(?<digest>sha256:[0-9a-f]{64}))?)(?![\w/@:$-])/g;

/** Which images are pulled, by what name, and how often that is tried. */
export function pullHazards(
  { unit, file, code, scripts }: Service,
  config: MachineConfig,
  report: Report,
): void {
  const path: ValuePath = [...unit.at, 'contents'];
  const seen = new Set<string>();
  const places = [
    ...(unit.parsed()?.options ?? [])
      .filter((option) => isCommand(option) || option.name === 'Environment')
      .map(({ value, line }) => ({ text: value, path, line })),
    ...scripts.map(({ entry, text }) => ({ text: withoutComments(text), path: entry.at, line: undefined })),
  ];
  for (const place of places) {
    for (const match of place.text.slice(0, 100_000).matchAll(IMAGE)) {
      const { tag, digest } = match.groups ?? {};
      if (digest !== undefined || tag === undefined || seen.has(match[0])) continue;
      seen.add(match[0]);
      report({
        rule: tag === 'latest' ? 'image-latest' : 'image-by-tag',
        severity: 'warning',
        path: place.path,
        lineInText: place.line,
        message: `${match[0].slice(0, 200)} is ${tag === 'latest' ? 'whatever was pushed last' : 'an image by tag'}: what root runs at boot changes when the tag moves, mirrors for digests do not serve it, and nodes differ`,
        hint: 'Write the image by digest: REPOSITORY@sha256:... .',
      });
    }
  }
  const isNormalised = /\btr\b[^\n]*\+|\bsed\b[^\n]*\+|\/\/?\\?\+\/|\/\/\[\^/.test(code);
  const variable = /\b([A-Za-z_]\w*)=["']?(?:\$\(\s*uname -r\s*\)|`uname -r`)/.exec(code)?.[1];
  const usesRelease =
    /:["']?(?:\$\(\s*uname -r\s*\)|`uname -r`)/.test(code) ||
    (variable !== undefined && new RegExp(`:["']?\\$\\{?${variable}\\b`).test(code));
  if (usesRelease && !isNormalised) {
    report({
      rule: 'uname-tag',
      severity: 'warning',
      path,
      message:
        'the tag is what uname -r prints: kernels for real time and with 64k pages have a "+" in it, which no tag may have, and after an upgrade the tag may not exist yet',
      hint: 'Turn all but A-Za-z0-9._- into "_", as KMM does, or look digests up by kernel release.',
    });
  }
  const isRetried =
    /\b(?:while|until|for)\b|--retry/.test(code) ||
    optionValues(file, 'Service', 'Restart').some((value) => value !== 'no') ||
    config.units.some(
      ({ name, contents }) =>
        name.endsWith('.timer') &&
        (name === unit.name.replace(/\.service$/, '.timer') ||
          contents?.includes(`Unit=${unit.name}`) === true),
    );
  if (!isRetried && /\bpull\b|\bcopy\b/.test(code)) {
    report({
      rule: 'pull-without-retry',
      severity: 'warning',
      path,
      message:
        'the image is pulled once: when the registry is away at that moment, the module is missing until the next boot',
      hint: 'Add Restart=on-failure with RestartSec=, or try again with growing pauses and an end.',
    });
  }
}
