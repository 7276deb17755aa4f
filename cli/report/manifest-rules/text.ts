/** What a rule of manifests says of itself. */
export type Text = readonly [title: string, holds: string, why: string, help: string];
