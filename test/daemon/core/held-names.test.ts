import { expect, test } from 'vitest';
import { handedOver, heldName, PARTS, readHeldName, setsByRun } from '../../../src/daemon/core/held-names.ts';

const RUN = '0123456789abcdef0123456789abcdef';

test('names come back, and fit what a service manager takes', () => {
  for (const part of PARTS) {
    const name = heldName({ runId: RUN, part });
    expect(readHeldName(name)).toEqual({ runId: RUN, part });
    expect(name).toMatch(/^[!-9;-~]{1,255}$/);
  }
});

test.each(['', 'stored', `tidemark-${RUN}-`, `tidemark-${RUN}-teapot`, 'tidemark-XYZ-socket', `x-${RUN}-socket`])(
  'not ours: %j',
  (name) => {
    expect(readHeldName(name)).toBeNull();
  },
);

test('descriptors are taken only where they are meant for this process', () => {
  const environment = { LISTEN_PID: '42', LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:b' };
  expect(handedOver(environment, 42)).toEqual([
    { fd: 3, name: 'a' },
    { fd: 4, name: 'b' },
  ]);
  expect(handedOver(environment, 43)).toEqual([]);
  expect(handedOver({}, 42)).toEqual([]);
  expect(handedOver({ ...environment, LISTEN_FDS: 'two' }, 42)).toEqual([]);
  expect(handedOver({ ...environment, LISTEN_FDNAMES: undefined }, 42).map(({ name }) => name)).toEqual(['', '']);
});

test('sets by run; strangers are left out', () => {
  const other = 'ffffffffffffffff';
  const sets = setsByRun([
    { fd: 3, name: heldName({ runId: RUN, part: 'directories-group' }) },
    { fd: 4, name: heldName({ runId: other, part: 'socket' }) },
    { fd: 5, name: 'stranger' },
    { fd: 6, name: heldName({ runId: RUN, part: 'directories-ring' }) },
  ]);
  expect([...sets.keys()]).toEqual([RUN, other]);
  expect([...(sets.get(RUN) ?? [])]).toEqual([
    ['directories-group', 3],
    ['directories-ring', 6],
  ]);
});
