// Adds up what the reports of vitest (JSON) and pytest (JUnit XML) counted: node .ci/totals.mjs REPORT…
import { readFileSync } from "node:fs";

const totals = { passed: 0, failed: 0, skipped: 0 };
for (const path of process.argv.slice(2)) {
  const counts = path.endsWith(".json") ? readVitest(path) : readPytest(path);
  for (const name of Object.keys(totals)) totals[name] += counts[name];
}
if (totals.passed === 0) throw new Error("the reports hold no test that passed");
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);

function readVitest(path) {
  const report = JSON.parse(readFileSync(path, "utf8"));
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests, numTodoTests } = report;
  return { passed, failed, skipped: numPendingTests + numTodoTests };
}

function readPytest(path) {
  const [suite] = /<testsuite [^>]*>/.exec(readFileSync(path, "utf8")) ?? [""];
  const count = (name) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1]);
  const failed = count("failures") + count("errors");
  return { passed: count("tests") - failed - count("skipped"), failed, skipped: count("skipped") };
}
