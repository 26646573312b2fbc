/** The table of situations, beta over ssh. */
import { afterAll, beforeAll } from 'vitest';
import { Ground, TO_SSH } from '../support/situations.ts';
import { describeTable } from './run-table.ts';
import { FIRST_TABLE, MODES_TABLE, TABLE } from './table.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
});
afterAll(() => ground.close());

describeTable(() => ground, TO_SSH, TABLE);
describeTable(() => ground, TO_SSH, FIRST_TABLE);
describeTable(() => ground, TO_SSH, MODES_TABLE);
