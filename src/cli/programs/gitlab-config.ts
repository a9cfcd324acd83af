import { runStage } from "../run_stage.ts";
import { GITLAB_CONFIG } from "../stage_commands.ts";

await runStage(GITLAB_CONFIG);
