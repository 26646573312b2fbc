/** Sockets with a mode from the start, peers, the service manager, descriptors of children. */
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/platform/addon.ts';
import { isOpen, listenUnix, notifyService, peerUid, setCloseOnExec } from '../../src/platform/unix-socket.ts';
import { outputOf, startChild } from './fanotify-tools.ts';
import { codeOf } from './implementations.ts';

const { addon, missing } = loadAddon();
const CLOSE_ON_EXEC = 0o2000000;

describe.skipIf(addon === null)(`unix sockets${missing === null ? '' : ` (${missing})`}`, () => {
  let folder: string;
  beforeEach(() => {
    folder = fs.mkdtempSync(join(tmpdir(), 'tidemark-socket-'));
    fs.chmodSync(folder, 0o755);
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  async function serve(fd: number, use: (socket: net.Socket) => void): Promise<net.Server> {
    const server = net.createServer(use);
    await new Promise<void>((resolve) => server.listen({ fd }, resolve));
    return server;
  }

  it('listen with their mode and are adopted by a server', async () => {
    const path = join(folder, 'control');
    const server = await serve(listenUnix(path), (socket) => {
      const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
      socket.end(`${peerUid(fd)}`);
    });
    expect(fs.statSync(path).mode & 0o7777).toBe(0o600);
    expect(fs.readdirSync(folder)).toEqual(['control']);
    expect(await talk(path)).toBe(`${process.getuid?.()}`);
    server.close();
  });

  it.skipIf(process.getuid?.() !== 0)('know their peer (needs root to become somebody else)', async () => {
    const path = join(folder, 'control');
    const server = await serve(listenUnix(path, 0o666), (socket) => {
      const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
      socket.end(`${peerUid(fd)}`);
    });
    const body = `import * as net from 'node:net';
      net.connect(${JSON.stringify(path)}).on('data', (data) => console.log(String(data)));`;
    expect((await outputOf(startChild(body, { uid: 1000 }))).trim()).toBe('1000');
    server.close();
  });

  it('take the place of what was there', async () => {
    const path = join(folder, 'control');
    const first = await serve(listenUnix(path), (socket) => socket.end('first'));
    const second = await serve(listenUnix(path), (socket) => socket.end('second'));
    expect(await talk(path)).toBe('second');
    first.close();
    second.close();
  });

  it('say why they cannot listen', () => {
    expect(codeOf(() => listenUnix(join(folder, 'x'.repeat(108))))).toBe('ENAMETOOLONG');
    expect(codeOf(() => listenUnix(join(folder, 'none/control')))).toBe('ENOENT');
    fs.mkdirSync(join(folder, 'directory'));
    expect(codeOf(() => listenUnix(join(folder, 'directory')))).toBe('EISDIR');
    expect(fs.readdirSync(folder)).toEqual(['directory']);
    expect(codeOf(() => peerUid(9999))).toBe('EBADF');
  });

  const hasPython = spawnSync('python3', ['-c', '']).status === 0;
  it.skipIf(!hasPython).each(['path', 'abstract'])(
    'tell the service manager, with descriptors, by %s (needs python3)',
    async (kind) => {
      const address = kind === 'path' ? join(folder, 'notify') : `@tidemark-${process.pid}`;
      const script = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace('@', '\\0'))
sys.stdout.write('.'); sys.stdout.flush()
for _ in range(2):
    data, fds, flags, _ = socket.recv_fds(s, 4096, 8)
    print(data.decode().replace('\\n', ' '), len(fds), *(os.pread(fd, 9, 0).decode() for fd in fds), flush=True)
`;
      const manager = spawn('python3', ['-c', script, address], { stdio: ['ignore', 'pipe', 'inherit'] });
      await new Promise((resolve) => manager.stdout.once('data', resolve));
      const told = outputOf(manager);
      const files = ['one', 'two'].map((text) => {
        fs.writeFileSync(join(folder, text), text);
        return fs.openSync(join(folder, text), 'r');
      });
      notifyService(address, 'READY=1');
      notifyService(address, 'FDSTORE=1\nFDNAME=group', files);
      for (const fd of files) fs.closeSync(fd);
      expect(await told).toBe('READY=1 0\nFDSTORE=1 FDNAME=group 2 one two\n');
    },
  );

  it('say that nobody manages', () => {
    expect(codeOf(() => notifyService(join(folder, 'none'), 'READY=1'))).toBe('ENOENT');
    expect(codeOf(() => notifyService('@tidemark-none', 'READY=1'))).toBe('ECONNREFUSED');
    expect(codeOf(() => notifyService('vsock:2:1234', 'READY=1'))).toBe('EAFNOSUPPORT');
    expect(codeOf(() => notifyService(`/${'x'.repeat(200)}`, 'READY=1'))).toBe('ENAMETOOLONG');
    expect(codeOf(() => notifyService('', 'READY=1'))).toBe('EAFNOSUPPORT');
    expect(codeOf(() => notifyService(join(folder, 'none'), '', Array(65).fill(0)))).toBe('EINVAL');
  });

  it('and other descriptors can be kept or closed on exec', () => {
    const fd = fs.openSync(folder, 'r');
    const closes = () => (flagsOf(fd) & CLOSE_ON_EXEC) !== 0;
    expect(isOpen(fd)).toBe(true);
    for (const wanted of [false, true]) {
      setCloseOnExec(fd, wanted);
      expect(closes()).toBe(wanted);
    }
    fs.closeSync(fd);
    expect(isOpen(fd)).toBe(false);
    expect(codeOf(() => setCloseOnExec(fd, true))).toBe('EBADF');
  });
});

/** Flags of a descriptor and of what it stands for. */
function flagsOf(fd: number): number {
  return Number.parseInt(/^flags:\s*(\d+)/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '', 8);
}

function talk(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path);
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    socket.once('end', () => resolve(text));
    socket.once('error', reject);
  });
}
