/** A file system that lets a test act right before or after a call: another program at the worst moment. */
import type { FileSystem } from '../../../src/platform/filesystem.ts';

export type Method = {
  [Name in keyof FileSystem]: FileSystem[Name] extends (...args: never[]) => unknown ? Name : never;
}[keyof FileSystem];

export type Hook = (method: Method, args: readonly unknown[]) => void;

/** Calls `before` ahead of every call and `after` behind every one that succeeded. */
export function hookedFileSystem(fileSystem: FileSystem, before: Hook, after: Hook = () => {}): FileSystem {
  return new Proxy(fileSystem, {
    get(target, name) {
      const value = target[name as keyof FileSystem];
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        before(name as Method, args);
        const result = (value as (...given: unknown[]) => unknown).apply(target, args);
        after(name as Method, args);
        return result;
      };
    },
  });
}

/** A hook that acts once, ahead of the first of these calls. */
export function once(methods: readonly Method[], act: () => void): Hook {
  let isDone = false;
  return (method) => {
    if (isDone || !methods.includes(method)) return;
    isDone = true;
    act();
  };
}
