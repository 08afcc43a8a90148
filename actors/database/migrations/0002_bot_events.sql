-- Facts of sessions. The id makes a repeated write harmless; seq is the order in which they were written.

create table bot_events (
    id          uuid primary key,
    seq         bigint generated always as identity,
    session_id  uuid not null references bot_sessions (id) on delete cascade,
    type        text not null,
    data        jsonb not null,
    "timestamp" timestamptz not null
);

create unique index bot_events_newest on bot_events (seq desc);
create index bot_events_of_session on bot_events (session_id, seq desc);
