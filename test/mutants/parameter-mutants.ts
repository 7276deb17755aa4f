import type { Mutant } from './mutant.ts';

function given(
  id: string,
  change: string,
  kernel: Mutant['kernel'],
  parameters: Mutant['parameters'] = {},
): Mutant {
  return { id, check: 'parameters', of: 'mu_driver', change, kernel, parameters };
}

/** What is given to the module when it is loaded. */
export const PARAMETER_MUTANTS: readonly Mutant[] = [
  given('parameters-right', 'both parameters, rightly', 'accepted', { size: '128', label: 'x' }),
  given('parameters-unknown', 'a parameter that it does not have', 'accepted', { never: '1' }),
  given('parameters-word', 'a word where a number belongs', 'refused', { size: 'many' }),
  given('parameters-large', 'a number that does not fit', 'refused', { size: '99999999999' }),
];
