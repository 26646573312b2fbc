/** The whole table of situations. */
import type { Situation } from './situation.ts';
import { BOTH_SIDED } from './table-both-sided.ts';
import { LINKS, NAMES } from './table-names.ts';
import { ONE_SIDED } from './table-one-sided.ts';

export { FIRST_TABLE } from './table-both-sided.ts';
export { MODES_TABLE, OPTION_TABLE } from './table-options.ts';

/** All that need no more than two trees with a past and the default options. */
export const TABLE: readonly Situation[] = [...ONE_SIDED, ...BOTH_SIDED, ...NAMES, ...LINKS];
