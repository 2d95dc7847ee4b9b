import type { JSX } from "preact";
import type { HistogramList } from "../../api/answers.js";
import { DensityMap } from "../../parts/density-map.js";
import { State } from "../../parts/state.js";
import { useAnswer } from "../../use-answer.js";

/** Where the samples lie by what the checkpoints made of them (Swayamdipta et al. 2020, Dataset Cartography). */
export function ConfidenceMap({ path }: { readonly path: string }): JSX.Element {
  const about = `${path}/histograms?column=variability&column=mean_confidence&map=true&bins=40`;
  const answer = useAnswer(about, (client, signal) => client.read<HistogramList>(about, signal));
  return (
    <section class="panel">
      <h2>Confidence and variability</h2>
      <div class="beside">
        <State answer={answer} what="Counting the map">
          {({ histograms: [x, y], map }) =>
            x !== undefined && y !== undefined && map !== null && <DensityMap x={x} y={y} map={map} />
          }
        </State>
        <div>
          <p>Each sample lies where the checkpoints that scored it put it.</p>
          <ul>
            <li>
              <strong>High and to the left</strong>: easy. The model was right at every checkpoint.
            </li>
            <li>
              <strong>To the right</strong>: ambiguous. The model changed its mind.
            </li>
            <li>
              <strong>Low and to the left</strong>: hard. The model never agreed with the label. Wrong labels
              are often here.
            </li>
          </ul>
        </div>
      </div>
    </section>
  );
}
