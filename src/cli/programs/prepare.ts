import { runStage } from "../run_stage.ts";
import { PREPARE } from "../prepare_command.ts";

await runStage(PREPARE);
