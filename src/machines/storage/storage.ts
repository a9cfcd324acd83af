/** The interface `Storage`: how a machine's writes are kept apart from its chroot. */

import type { Host } from "../../host/host.ts";
import type { Step } from "../../linux/mounts.ts";
import type { StorageKind } from "../record/lease.ts";
import type { Lower } from "../record/lower.ts";

/** A machine's root file system: writes to it do not reach the chroot. */
export interface Root {
  /** nspawn's options that select it. */
  readonly options: readonly string[];
  /** Mounts it, in nspawn's mount namespace. */
  readonly mount: Step;
}

/** What a machine may still write before it meets its limit. */
export interface Remaining {
  readonly bytes: number;
  /** Null where files are not limited. */
  readonly files: number | null;
}

/**
 * One way to keep writes apart. `lower` is what the root is made of, `folder` is the machine's own folder, `ids` the first of the machine's own ids, or
 * null where it shares the host's.
 */
export interface Storage {
  readonly kind: StorageKind;
  /**
   * Creates what a machine's writes go to, in its empty folder.
   *
   * @param diskMax Bytes that the machine may write; null for no limit.
   * @throws {Failure} `host` where it cannot be created.
   */
  create(
    host: Host,
    lower: Lower,
    folder: string,
    ids: number | null,
    diskMax: number | null,
  ): Promise<void>;
  /**
   * Makes a folder in the folder of a machine with a limit, so that the limit counts what is in it; absent where that
   * counts all in the machine's folder.
   *
   * @throws {Failure} `host` where it cannot be made.
   */
  makeLimited?(host: Host, folder: string, path: string): Promise<void>;
  /**
   * Returns the root of a machine whose storage was created.
   *
   * @param layer The shifted layer that gives the chroot's files those ids; null where nspawn or mount(8) does.
   */
  root(lower: Lower, folder: string, ids: number | null, layer?: string | null): Root;
  /** Returns how many bytes on the disk a machine wrote; null where that cannot be found out. */
  bytesWritten(host: Host, folder: string): Promise<number | null>;
  /** Returns what a machine with a limit may still write; null where that cannot be found out. */
  remaining(host: Host, folder: string): Promise<Remaining | null>;
  /**
   * Moves what an ended machine wrote to another folder; succeeds also where it was moved before.
   *
   * @throws {Failure} `host` where it cannot be moved.
   */
  move(host: Host, from: string, to: string): Promise<void>;
}
