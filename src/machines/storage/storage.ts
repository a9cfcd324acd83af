/** The joint that answers: how are a machine's writes kept off its chroot? */

import type { Argv, Host } from "../../host/host.ts";
import type { StorageKind } from "../record/lease.ts";

/** A root that a machine may write to without its chroot seeing any of it. */
export interface Root {
  /** nspawn's options for it. */
  readonly options: readonly string[];
  /** Puts nspawn's command line where that root is mounted; as it is, where nothing has to be mounted. */
  readonly wrap?: (argv: Argv) => Argv;
}

/** What is left of a limit. */
export interface Remaining {
  readonly bytes: number;
  /** Null where files are not counted. */
  readonly files: number | null;
}

/** One way to keep writes apart. */
export interface Storage {
  readonly kind: StorageKind;
  /**
   * Makes the root of a machine.
   *
   * @param host The outside.
   * @param chroot The chroot's path.
   * @param folder The machine's own folder, which exists and is empty.
   * @param ids The first id of the machine's own; null where it shares the host's.
   * @param diskMax Bytes that the machine may write; null for no limit.
   * @throws {Failure} of the host.
   */
  create(
    host: Host,
    chroot: string,
    folder: string,
    ids: number | null,
    diskMax: number | null,
  ): Promise<void>;
  /**
   * The root that was made.
   *
   * @param chroot The chroot's path.
   * @param folder The machine's own folder.
   * @param ids As it was made with.
   * @param layer The layer that gives the chroot's files those ids; null where the host maps them.
   * @returns How nspawn gets it.
   */
  root(chroot: string, folder: string, ids: number | null, layer?: string | null): Root;
  /**
   * How much a machine wrote.
   *
   * @param host The outside.
   * @param folder The machine's own folder.
   * @returns Bytes on disk; null where nobody tells.
   */
  bytesWritten(host: Host, folder: string): Promise<number | null>;
  /**
   * What a machine may still write that has a limit.
   *
   * @param host The outside.
   * @param folder The machine's own folder.
   * @returns Null where nobody tells.
   */
  remaining(host: Host, folder: string): Promise<Remaining | null>;
  /**
   * Moves what a machine wrote, which has ended. Fine when that was done.
   *
   * @param host The outside.
   * @param from The machine's own folder.
   * @param to Where it is to be.
   * @throws {Failure} of the host.
   */
  move(host: Host, from: string, to: string): Promise<void>;
  /**
   * Removes what the machine wrote, and its folder. Fine when there is nothing.
   *
   * @param host The outside.
   * @param folder The machine's own folder.
   * @throws {Failure} of the host.
   */
  remove(host: Host, folder: string): Promise<void>;
}
