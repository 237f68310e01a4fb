"""What is to be run: task sets on platforms, with the networks that they name.

A task changes its class with what is known of it. Each class has only what its readers need:

- as a user writes it: `derca.Task` in Python, `taskset.TaskSection` and `priced.PricedTaskSection` in TOML;
- checked: `taskset.Task` in a `TaskSet` (a network on a platform), or nothing more in a `PricedTaskSet` (times alone);
- with lengths and prices, for analysis and schedules: `analysis.model.TaskModel` in a `System`; both kinds end there;
- compiled to tables, for the hardware and the golden model: `compile.plan.TaskPlan`;
- named in reports: `report.jobs.TaskInfo`, with figures `report.metrics.TaskMetrics`;
- of the reference's experiments, before a timing model gives it lengths: `timing.interface.TaskSpec`.
"""
