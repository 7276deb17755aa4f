import { expect, it } from 'vitest';
import { z } from 'zod';
import { Spec } from '../src/spec/schema.ts';

it('spec.schema.json is made from Spec', async () => {
  const schema = JSON.stringify(z.toJSONSchema(Spec, { io: 'input' }), null, 2);

  await expect(`${schema}\n`).toMatchFileSnapshot('../spec.schema.json');
});
