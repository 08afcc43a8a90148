// The fields of a configuration, in the order in which a person thinks of them.

/** @type {[string, import("./field.js").Definition[]][]} */
export const GROUPS = [
  ["What to take", [
    { name: "job_type_filter", label: "Job type", kind: "text", help: "Only types that contain this text are accepted, in any case. Empty: any type." },
    { name: "exclude_types", label: "Never these types", kind: "lines", help: "One on each line. Types that contain one of these are rejected, whatever else says yes." },
    { name: "max_accept_per_run", label: "Most accepted in one look", kind: "number", help: "Further jobs wait for the next look. 0 accepts none." },
    { name: "config_name", label: "Name", kind: "text", help: "What this configuration is called, here and in the log." },
  ]],
  ["When to look", [
    { name: "check_interval_seconds", label: "Seconds between looks", kind: "number", help: "0.1 to 86400. The shorter, the sooner we are there, and the busier the portal." },
    { name: "enable_quick_check", label: "Quick checks", kind: "flag", help: "Between two looks only the list of jobs is read; where there is a new one, a look follows at once." },
    { name: "quick_check_interval_seconds", label: "Seconds between quick checks", kind: "number", help: "A whole number. Of use where it is less than the time between looks." },
  ]],
  ["What to report", [
    { name: "enable_results_reporting", label: "Report results", kind: "flag", help: "A line in the log with what was checked, accepted and rejected." },
    { name: "results_report_interval_seconds", label: "Seconds between results", kind: "number", help: "A whole number." },
    { name: "enable_rejected_reporting", label: "Report rejected jobs", kind: "flag", help: "A list of what was rejected and why." },
    { name: "rejected_report_interval_seconds", label: "Seconds between rejected reports", kind: "number", help: "A whole number; 43200 is twice a day." },
  ]],
];
