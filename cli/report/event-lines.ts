import type { BuildEvent, Report } from '../../src/events.ts';

/** Version of what stands in each line. Fields are added, never taken away, as long as it stays. */
export const EVENTS_SCHEMA = 'kmodlayer/events/v1';

/** Events for programs: a line of JSON for each. */
export interface EventLines {
  readonly report: Report;
  /** One more line, that no event of the library stands for. */
  readonly add: (type: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** @param write Takes a whole line, with its end. */
export function makeEventLines(write: (line: string) => void, now: () => Date): EventLines {
  const add: EventLines['add'] = (type, fields) => {
    write(`${JSON.stringify({ schema: EVENTS_SCHEMA, time: now().toISOString(), type, ...fields })}\n`);
  };
  return {
    add,
    report(event) {
      const fields = fieldsOf(event);
      if (fields !== undefined) add(event.type, fields);
    },
  };
}

/** Undefined for what is text for people, or stands in a log. */
function fieldsOf(event: BuildEvent): Readonly<Record<string, unknown>> | undefined {
  if (event.type === 'compile-output' || event.type === 'program-output' || event.type === 'detail') {
    return undefined;
  }
  if (!('target' in event)) return { ...event };
  const { target, ...fields } = event;
  return { ...fields, unit: target };
}
