import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { listenForInterruptions } from '../../src/cli/signals.ts';
import { invoke } from './harness.ts';

function listening() {
  const emitter = new EventEmitter();
  const exits: number[] = [];
  let announcements = 0;
  const interruptions = listenForInterruptions({
    process: emitter,
    announce: () => {
      announcements++;
    },
    exit: (code) => exits.push(code),
  });
  return { emitter, exits, interruptions, announced: () => announcements };
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])('%s: the first asks, the second ends with %i', (name, code) => {
  const { emitter, exits, interruptions, announced } = listening();
  emitter.emit(name);
  expect(interruptions.signal.aborted).toBe(true);
  expect(interruptions.signal.reason).toMatchObject({ fault: 'interrupted', code: name });
  expect([exits, announced()]).toEqual([[], 1]);
  emitter.emit(name);
  expect(exits).toEqual([code]);
});

test('closed: nobody listens any more', () => {
  const { emitter, interruptions } = listening();
  interruptions.close();
  expect(emitter.eventNames()).toEqual([]);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
])('a run that ends because of %s exits with %i, whatever it threw', async (name, code) => {
  const { emitter, interruptions } = listening();
  const runSync = async () => {
    emitter.emit(name);
    throw new Error('connection closed');
  };
  const options = { signal: interruptions.signal, dependencies: { runSync } };
  const plain = await invoke(['sync', 'a', 'b'], options);
  expect([plain.code, plain.stderr]).toEqual([code, `tidemark: interrupted by ${name}\n`]);
  expect((await invoke(['sync', '-v', 'a', 'b'], options)).stderr).toContain('caused by: Error: connection closed');
});

test('a run that finished in spite of the signal counts as it ended', async () => {
  const { emitter, interruptions } = listening();
  emitter.emit('SIGINT');
  expect((await invoke(['sync', 'a', 'b'], { signal: interruptions.signal })).code).toBe(0);
});
