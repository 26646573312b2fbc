/** The table of situations, alpha over ssh. */
import { afterAll, beforeAll } from 'vitest';
import { FROM_SSH, Ground } from '../support/situations.ts';
import { describeTable } from './run-table.ts';
import { FIRST_TABLE, MODES_TABLE, TABLE } from './table.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
});
afterAll(() => ground.close());

describeTable(() => ground, FROM_SSH, TABLE);
describeTable(() => ground, FROM_SSH, FIRST_TABLE);
describeTable(() => ground, FROM_SSH, MODES_TABLE);
