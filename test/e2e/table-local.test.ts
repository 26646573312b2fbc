/** The table of situations, both sides here. */
import { afterAll, beforeAll } from 'vitest';
import { Ground, LOCAL } from '../support/situations.ts';
import { describeTable } from './run-table.ts';
import { FIRST_TABLE, MODES_TABLE, OPTION_TABLE, TABLE } from './table.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open({ ssh: false });
});
afterAll(() => ground.close());

describeTable(() => ground, LOCAL, TABLE);
describeTable(() => ground, LOCAL, FIRST_TABLE);
describeTable(() => ground, LOCAL, MODES_TABLE);
describeTable(() => ground, LOCAL, OPTION_TABLE);
