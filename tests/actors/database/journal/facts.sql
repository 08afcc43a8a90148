BEGIN TRANSACTION;
CREATE TABLE facts (
    place integer primary key autoincrement,
    kept_at text not null,
    body text not null
);
INSERT INTO "facts" VALUES(2,'2026-12-01T03:35:33.430383+00:00','{"kind": "RecordOutcome", "fact": {"session_id": "01890000-0000-7000-8000-000000000001", "portal": "practice", "job_ref": "A", "status": "accepted", "settled": "portal", "reason": null, "facts": [{"type": "job_accepted", "data": {"job_ref": "A"}, "timestamp": "2026-03-04T05:06:07.891011Z", "id": "00000000-0000-0000-0000-000000000002"}], "at": "2026-03-04T05:06:07.891011Z"}}');
INSERT INTO "facts" VALUES(5,'2026-12-01T03:35:33.457207+00:00','{"kind": "RecordSession", "fact": {"id": "01890000-0000-7000-8000-000000000001", "status": "running", "login_status": "success", "total_checks": 7, "end_time": null, "facts": [{"type": "bot_started", "data": {"engine": "http", "list": [1, 2.5, null, {"\u00e4": true}]}, "timestamp": "2026-03-04T05:06:07.891011Z", "id": "00000000-0000-0000-0000-000000000001"}], "at": "2026-03-04T05:06:07.891011Z", "owner": "one"}}');
INSERT INTO "facts" VALUES(6,'2026-12-01T03:35:33.457207+00:00','{"kind": "RecordSession", "fact": {"id": "01890000-0000-7000-8000-000000000001", "status": "stopped", "login_status": "not_started", "total_checks": 8, "end_time": "2026-03-04T05:06:07.891011Z", "facts": [], "at": "2026-03-04T05:06:07.891011Z", "owner": null}}');
CREATE TABLE refused (
    place integer primary key,
    kept_at text not null,
    body text not null,
    refused_at text not null,
    reason text not null
);
INSERT INTO "refused" VALUES(3,'2026-12-01T03:35:33.445112+00:00','{"kind": "Unknown", "fact": {}}','2026-12-01T03:35:33.449191+00:00','''Unknown''');
INSERT INTO "refused" VALUES(4,'2026-12-01T03:35:33.445112+00:00','not json','2026-12-01T03:35:33.449191+00:00','Expecting value: line 1 column 1 (char 0)');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('facts',6);
COMMIT;
