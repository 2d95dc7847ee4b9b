// Adds up what the reports of vitest (JSON) and pytest (JUnit XML) counted and names what failed: node .ci/totals.mjs REPORT…
import { readFileSync } from "node:fs";

const totals = { passed: 0, failed: 0, skipped: 0 };
for (const path of process.argv.slice(2)) {
  const { failures, ...counts } = path.endsWith(".json") ? readVitest(path) : readPytest(path);
  for (const name of Object.keys(totals)) totals[name] += counts[name];
  for (const failure of failures) console.log(`failed: ${failure}`);
}
if (totals.passed === 0) throw new Error("the reports hold no test that passed");
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);

function readVitest(path) {
  const report = JSON.parse(readFileSync(path, "utf8"));
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests, numTodoTests } = report;
  const failures = report.testResults.flatMap(({ name, message, status, assertionResults }) => {
    const tests = assertionResults.filter((test) => test.status === "failed");
    // A file that does not load has no test.
    if (tests.length === 0) return status === "failed" ? [`${name}: ${message}`] : [];
    return tests.map(
      ({ fullName, failureMessages }) => `${name}: ${fullName}\n${failureMessages.join("\n")}`,
    );
  });
  return { passed, failed, skipped: numPendingTests + numTodoTests, failures };
}

function readPytest(path) {
  const report = readFileSync(path, "utf8");
  const [suite] = /<testsuite [^>]*>/.exec(report) ?? [""];
  const count = (name) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1]);
  const failed = count("failures") + count("errors");
  const failures = [...report.matchAll(/<testcase ([^>]*)><(?:failure|error) ([^>]*)>/g)].map(
    ([, test, fault]) => `${test} ${fault}`,
  );
  return { passed: count("tests") - failed - count("skipped"), failed, skipped: count("skipped"), failures };
}
