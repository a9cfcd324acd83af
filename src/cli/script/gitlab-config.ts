import { GITLAB_CONFIG } from "../stage_commands.ts";
import { runStage } from "../run_stage.ts";

await runStage(GITLAB_CONFIG);
