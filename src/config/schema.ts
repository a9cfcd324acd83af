/** The table of all settings: where each may be written, its default, what it may hold, and what it means. */

import { CONFIG_SETTINGS } from "./config_settings.ts";
import { DEFINITION_SETTINGS } from "./definition_settings.ts";
import { MACHINE_SETTINGS } from "./machine_settings.ts";

/** All settings. The types of settings.ts are inferred from it. */
export const SETTINGS = [
  ...CONFIG_SETTINGS,
  ...DEFINITION_SETTINGS,
  ...MACHINE_SETTINGS,
] as const;
