import { expect, test } from 'vitest';
import { decodeSetup, encodeSetup, type WorkerSetup } from '../../../src/daemon/core/worker-setup.ts';

const SETUP: WorkerSetup = {
  runId: 'ab12',
  stateFolder: '/home/größe/state',
  runtimeFolder: '/run/user/1000/tidemark',
  groups: [{ kind: 'directories', group: 4, ring: 5 }],
  socket: 6,
  socketPath: '/run/user/1000/tidemark/daemon.sock',
};

test('the setup arrives as it was', () => {
  expect(decodeSetup(encodeSetup(SETUP))).toEqual(SETUP);
  expect(decodeSetup(encodeSetup({ ...SETUP, socket: null, groups: [] }))).toEqual({
    ...SETUP,
    socket: null,
    groups: [],
  });
});

test.each([
  ['three groups', { groups: [0, 1, 2] }],
  ['a group of another kind', { groups: [{ kind: 'mounts', group: 4, ring: 5 }] }],
  ['a negative descriptor', { groups: [{ kind: 'directories', group: -1, ring: 5 }] }],
  ['no path', { socketPath: 7 }],
])('refused: %s', (_what, of) => {
  expect(() => decodeSetup(JSON.stringify({ ...SETUP, ...of }))).toThrow(
    expect.objectContaining({ code: 'malformed' }),
  );
});
