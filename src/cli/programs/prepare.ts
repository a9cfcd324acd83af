import { runStage } from "../run_stage.ts";
import { PREPARE } from "../stage_commands.ts";

await runStage(PREPARE);
