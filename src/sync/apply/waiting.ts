/**
 * The order of operations while contents are still coming.
 *
 * Operations are carried out in the order they come, except that one does not wait for the content of an earlier one
 * that has nothing to do with it. What touches a path with a claim on it waits until the claim is gone.
 */
import { type BytePath, isWithin, parentOf } from '../../platform/core/byte-path.ts';
import type { Operation } from '../core/operation.ts';
import type { Result } from './outcome.ts';
import { pathsOf, type Task } from './task.ts';

export class WaitingRoom {
  /** Tasks without their content yet, whether they wait for anything else or not. */
  readonly #incomplete = new Set<Task>();
  #blocked: Task[] = [];
  readonly #claims = new Map<BytePath, number>();

  /** True where the task may be carried out now; else it waits here. */
  admit(task: Task): boolean {
    task.isBlocked = this.#claims.size > 0 && this.#conflicts(task.operation);
    if (task.isBlocked) this.#blocked.push(task);
    if (!task.isComplete) this.#incomplete.add(task);
    if (!task.isBlocked && task.isComplete) return true;
    this.#claim(task);
    return false;
  }

  /** The content of a task is complete (or given up). Returns what may be carried out now, in order. */
  complete(task: Task): Task[] {
    task.isComplete = true;
    this.#incomplete.delete(task);
    if (this.#blocked.length > 0) return task.isBlocked ? [] : [task, ...this.#unblock()];
    this.#release(task);
    return [task];
  }

  /** Tasks that wait for others, in order. */
  blocked(): readonly Task[] {
    return this.#blocked;
  }

  /** What was staged for tasks that wait here may be lost: they fail when their turn comes. */
  failStaged(result: Result): void {
    for (const task of this.#blocked) if (task.unsyncedBytes > 0) task.result ??= result;
  }

  #unblock(): Task[] {
    const blocked = this.#blocked;
    this.#blocked = [];
    this.#claims.clear();
    for (const task of this.#incomplete) if (!task.isBlocked) this.#claim(task);
    const ready: Task[] = [];
    for (const task of blocked) {
      task.isBlocked = this.#claims.size > 0 && this.#conflicts(task.operation);
      if (task.isBlocked) this.#blocked.push(task);
      if (task.isBlocked || !task.isComplete) this.#claim(task);
      else ready.push(task);
    }
    return ready;
  }

  #conflicts(operation: Operation): boolean {
    const paths = pathsOf(operation);
    if (paths.some((path) => this.#claims.has(path))) return true;
    // Without blocked tasks all claims are on files, and nothing lies below a file.
    if (this.#blocked.length > 0 && paths.some((path) => this.#isBelowClaim(path))) return true;
    return (
      isBroad(operation) && [...this.#claims.keys()].some((claimed) => paths.some((path) => isWithin(claimed, path)))
    );
  }

  #isBelowClaim(path: BytePath): boolean {
    for (let at = path; at !== ''; ) {
      at = parentOf(at);
      if (this.#claims.has(at)) return true;
    }
    return false;
  }

  #claim(task: Task): void {
    for (const path of pathsOf(task.operation)) this.#claims.set(path, (this.#claims.get(path) ?? 0) + 1);
  }

  #release(task: Task): void {
    for (const path of pathsOf(task.operation)) {
      const count = (this.#claims.get(path) ?? 0) - 1;
      if (count > 0) this.#claims.set(path, count);
      else this.#claims.delete(path);
    }
  }
}

/** True where an operation moves or removes whatever lies below its path. */
function isBroad(operation: Operation): boolean {
  return operation.kind === 'rename' || operation.before?.kind === 'directory';
}
