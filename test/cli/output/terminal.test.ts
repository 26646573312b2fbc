import { expect, test } from 'vitest';
import { Terminal } from '../../../src/cli/output/terminal.ts';
import { KeptStream } from '../harness.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('lines are gathered and written when the event loop turns', async () => {
  const [out, err] = [new KeptStream(), new KeptStream()];
  const terminal = new Terminal(out, err);
  terminal.result('one');
  terminal.result('two');
  expect(out.text).toBe('');
  await turn();
  expect(out.text).toBe('one\ntwo\n');
});

test('much text is written at once', () => {
  const out = new KeptStream();
  const terminal = new Terminal(out, new KeptStream());
  terminal.result('x'.repeat(70_000));
  expect(out.text).toHaveLength(70_001);
});

test('order is kept across the two streams', async () => {
  const both = new KeptStream(true);
  const terminal = new Terminal(both, both);
  terminal.result('r1');
  terminal.talk('t1');
  terminal.result('r2');
  await terminal.close();
  expect(both.text).toBe('r1\nt1\nr2\n');
});

test('a status line is taken away before a line and put back behind it', async () => {
  const both = new KeptStream(true);
  const terminal = new Terminal(both, both);
  terminal.status('50%');
  terminal.flush();
  terminal.result('line');
  terminal.flush();
  expect(both.text).toBe('50%\r\x1b[2Kline\n50%');
  await terminal.close();
  expect(both.text).toBe('50%\r\x1b[2Kline\n50%\r\x1b[2K');
});

test('a question holds the status line back', () => {
  const err = new KeptStream(true);
  const terminal = new Terminal(new KeptStream(), err);
  terminal.status('50%');
  terminal.flush();
  const release = terminal.hold();
  terminal.status('60%');
  terminal.flush();
  expect(err.text).toBe('50%\r\x1b[2K');
  release();
  terminal.flush();
  expect(err.text).toBe('50%\r\x1b[2K60%');
});

test('no status line where stderr is no terminal', () => {
  const err = new KeptStream();
  const terminal = new Terminal(new KeptStream(true), err);
  terminal.status('50%');
  terminal.flush();
  expect(err.text).toBe('');
});

test('a reader that hung up makes its stream silent, the other goes on', async () => {
  const [out, err] = [new KeptStream(), new KeptStream()];
  const terminal = new Terminal(out, err);
  out.fail(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  terminal.result('lost');
  terminal.talk('kept');
  await terminal.close();
  expect([out.text, err.text]).toEqual(['', 'kept\n']);
});
