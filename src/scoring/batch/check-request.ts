import type { SignalName } from "../../importance/types.js";
import type { Rankers } from "../../ranker/port.js";
import type { ScoreRequest } from "../requests/score-request.js";
import { useModels } from "./open-models.js";
import { planScoring } from "./plan.js";

/**
 * Finds the faults of a request as `scoreSamples` does and runs nothing: throws the same, but for what the store alone knows. Answers
 * the signals that would be computed.
 */
export async function checkRequest(rankers: Rankers, request: ScoreRequest): Promise<readonly SignalName[]> {
  return useModels(rankers, request, async (models) => planScoring(request, models).computed);
}
