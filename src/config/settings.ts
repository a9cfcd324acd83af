/** The types of the configuration and of definitions, inferred from the table of settings. */

import type { SETTINGS } from "./schema.ts";

type Entry = typeof SETTINGS[number];

/** The checked value of a setting. */
type Checked<E extends Entry> = Exclude<ReturnType<E["check"]>, undefined>;

/** The settings of these files by dotted key; undefined is the value of a setting without default. */
type ByKey<Where extends Entry["where"]> = {
  readonly [E in Extract<Entry, { where: Where }> as E["key"]]:
    | Checked<E>
    | (E["default"] extends undefined ? undefined : never);
};

/** Settings with those of `limits.x` in a table of their own, named `limits`. */
type Nested<Flat> =
  & { readonly [Key in keyof Flat as Key extends `${string}.${string}` ? never : Key]: Flat[Key] }
  & { readonly [Table in TableOf<keyof Flat>]: InTable<Flat, Table> };

type TableOf<Key> = Key extends `${infer Table}.${string}` ? Table : never;

type InTable<Flat, Table extends string> = {
  readonly [Key in keyof Flat as Key extends `${Table}.${infer Name}` ? Name : never]: Flat[Key];
};

/** The settings of the configuration. Durations are in seconds, sizes without a unit in bytes. */
export type ConfigSettings = Nested<ByKey<"both" | "config">>;

/** The whole configuration. */
export type Config = ConfigSettings & {
  /** The absolute path of the configuration; the file may be missing. */
  readonly file: string;
};

/** The settings that a definition may change for its chroot. */
export type ChrootSettings = Nested<ByKey<"both">>;

/** Where a chroot's packages come from, and which program installs them. */
export type ArchiveSettings = Pick<ChrootSettings, "mirror" | "tool">;

/** The settings of a machine. */
export type MachineSettings = Omit<ChrootSettings, keyof ArchiveSettings>;

/** Limits of one machine, as in systemd.resource-control(5). */
export type Limits = ChrootSettings["limits"];

/** How far jobs may change their machines; undefined for not at all. */
export type Overrides = Config["overrides"];

/** How a machine's writes are kept apart from its chroot; `auto` picks what the store supports. */
export type StorageChoice = Config["storage"];

/** The program that builds Debian chroots; `auto` prefers mmdebstrap. */
export type ToolChoice = Config["tool"];

/** The network of a machine; `auto` is private where the host supports it. */
export type NetworkChoice = Config["network"];

/** How a chroot is built: the settings that only a definition may hold. */
export type BuildSettings = {
  readonly [E in Extract<Entry, { where: "definition" }> as E["key"]]?: Checked<E>;
};

/** The settings that differ for one chroot; absent ones stay as they are. */
export type OwnSettings = Partial<Omit<ChrootSettings, "limits">> & {
  readonly limits?: Partial<Limits>;
};

/** A definition. */
export interface Definition {
  /** How the chroot is built. */
  readonly build: BuildSettings;
  /** Settings that replace the configuration's for this chroot. */
  readonly machine: OwnSettings;
}
