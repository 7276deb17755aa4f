import { createHash } from 'node:crypto';
import { CHECK_IDS, STATIC_PASS, type TargetReport, type VerifyReport } from '../../../src/verify/report.ts';
import { CHECK_TEXTS } from '../check-texts.ts';
import { definitions, folded, moreNote, section } from './elements.ts';
import { markup, styleSheet, textOf, type Html, type Part } from './html.ts';
import { firstOf, limitsOf, type Limits } from './limits.ts';
import { MARK_SHAPES, marked } from './marks.ts';
import { matrix } from './matrix.ts';
import { REPORT_CSS } from './report-css.generated.ts';
import { figures, headline, verdictText } from './summary.ts';
import { targetSection } from './target-section.ts';

export interface HtmlOptions {
  /** Version of kmodlayer. */
  readonly toolVersion: string;
  /** When the report was made. */
  readonly at: Date;
  /** The command that made it. */
  readonly verb: 'verify' | 'build';
}

/** What browsers and mail open without a thought; text in other scripts takes up to three bytes a character. */
const LARGEST_CHARACTERS = 8_000_000;

/** Where every list has one entry left. */
const SMALLEST_SCALE = 1e-5;

/**
 * The report as one HTML file: no scripts, nothing from a network, the same bytes for the same report and options.
 * Lists that would make it larger than some megabytes are cut, and say so.
 */
export function verifyHtml(report: VerifyReport, options: HtmlOptions): string {
  for (let scale = 1; ; scale /= 4) {
    const limits = limitsOf(report, scale);
    const { shown, more } = firstOf(report.targets, limits.targets);
    const sections = sectionsOf(shown, limits, scale < SMALLEST_SCALE ? Infinity : LARGEST_CHARACTERS);
    if (sections !== undefined) {
      return textOf(pageOf(report, options, [matrix(shown), sections, moreNote(more)]));
    }
  }
}

/** @returns Undefined when they are longer than `limit`: the first that is too much ends it. */
function sectionsOf(
  targets: readonly TargetReport[],
  limits: Limits,
  limit: number,
): readonly Html[] | undefined {
  const sections: Html[] = [];
  let length = 0;
  for (const [index, target] of targets.entries()) {
    const section = targetSection(target, `t${index + 1}`, limits);
    length += textOf(section).length;
    if (length > limit) return undefined;
    sections.push(section);
  }
  return sections;
}

function pageOf(report: VerifyReport, { toolVersion, at, verb }: HtmlOptions, parts: Part): Html {
  const verdict = headline(report);
  return markup`<!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="${policy()}">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="referrer" content="no-referrer">
    <meta name="generator" content="kmodlayer ${toolVersion}">
    <title>${verdict} – kmodlayer ${verb}</title>
    <style>${styleSheet(REPORT_CSS)}</style>
    </head>
    <body>
    <a class="skip" href="#main">Skip to the report</a>
    ${MARK_SHAPES}
    <header>
    <p class="tool">kmodlayer ${verb}</p>
    <h1>${marked(report.verdict === 'passes' ? 'pass' : 'fail', verdict)}</h1>
    ${verdictText(report)}
    ${figures(report)}
    </header>
    <main id="main" tabindex="-1">
    ${parts}${glossary()}</main>
    <footer><p>Made by kmodlayer ${toolVersion} at <time datetime="${at.toISOString()}">${formatTime(at)}</time>.
    A pass means: ${STATIC_PASS}.</p></footer>
    </body>
    </html>
  `;
}

/** Nothing may be loaded or run, and only our own styles hold, even if a text got through as markup. */
function policy(): string {
  const hash = createHash('sha256').update(REPORT_CSS).digest('base64');
  return `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
}

function glossary(): Html {
  return section(
    { level: 2, id: 'glossary', text: 'What the checks ask' },
    folded({
      summary: `${CHECK_IDS.length} checks of a module, in the order of the kernel`,
      content: definitions(
        'glossary',
        CHECK_IDS.map((id) => [CHECK_TEXTS[id].title, CHECK_TEXTS[id].holds]),
      ),
    }),
  );
}

/** `2026-11-20 21:30 UTC` */
function formatTime(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
