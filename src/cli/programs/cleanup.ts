import { runStage } from "../run_stage.ts";
import { CLEANUP } from "../stage_commands.ts";

await runStage(CLEANUP);
