"""The fate of every directive of systemd's services and timers; systemd.directives(7) lists them."""

import re
from collections.abc import Mapping

from .fates import Directive, blocks, dropped, mapped, service

_OWN_UNIT = service("It holds for the whole service: set it in the unit that starts workerd.")
_ONE_USER = service("One user a daemon: its own.")
_ONE_LOG = dropped("There is one log, the service's, and “tail --job” filters it.")
_AT_BOOT = service("The unit that starts workerd waits for what its jobs need; among jobs, starts_after does.")
_TREE = dropped("workerd ends all processes of a job in any case.")
_AROUND = dropped("workerd runs nothing before or after a job: have the deploy or the job itself do it.")
_ENDS = dropped("A job that ends with 0 has finished, with any other code it has failed, and “restart” says the rest.")
_FOR_TARGETS = dropped("A command does not say when it is ready or alive; a function marked @job can.")
_SWITCH = dropped("The row's “enabled” takes its place.")
_ITSELF = blocks("It makes a daemon of itself: write the command that stays in the foreground.")
_RELOAD = blocks("No job is told to load anew while it runs: remove the line, if a restart does as well.")
_SOCKETS = blocks("It gets sockets or a name on the bus from systemd, which a job does not.")
_KNOWN_BY_ROW = dropped("workerd has its own way to do it.")


def _share(directive: Directive, names: str) -> dict[str, Directive]:
    return dict.fromkeys(names.split(), directive)


UNIT: Mapping[str, Directive] = {
    "Description": mapped("notes"),
    "Documentation": mapped("notes"),
    "SourcePath": _KNOWN_BY_ROW,
    "After": mapped("starts_after, where it names a unit that is adopted too"),
    **_share(mapped("restart_window"), "StartLimitIntervalSec StartLimitInterval"),
    "StartLimitBurst": mapped("max_restarts"),
    "OnFailure": dropped("The admin, the log and the metrics tell of a job that failed."),
    **_share(
        _AT_BOOT,
        """
        Requires Requisite Wants BindsTo BindTo Upholds Before PartOf JoinsNamespaceOf Conflicts
        RequiresOverridable RequisiteOverridable RequiresMountsFor WantsMountsFor DefaultDependencies
        """,
    ),
    **_share(
        dropped("It is between systemd's units, of which a job is none."),
        """
        StartLimitAction FailureAction SuccessAction FailureActionExitStatus SuccessActionExitStatus
        RebootArgument JobTimeoutAction JobTimeoutRebootArgument JobTimeoutSec JobRunningTimeoutSec
        OnSuccess OnSuccessJobMode OnFailureJobMode OnFailureIsolate CollectMode IgnoreOnIsolate
        PropagatesReloadTo PropagateReloadTo ReloadPropagatedFrom PropagateReloadFrom AllowIsolate
        PropagatesStopTo StopPropagatedFrom StopWhenUnneeded RefuseManualStart RefuseManualStop
        SurviveFinalKillSignal
        """,
    ),
}

SERVICE: Mapping[str, Directive] = {
    "ExecStart": mapped("command"),
    "Type": mapped("restart; “forking” and “dbus” are not adopted"),
    "Restart": mapped("restart"),
    "RestartSec": mapped("backoff_initial"),
    "RestartMaxDelaySec": mapped("backoff_max"),
    "StartLimitInterval": mapped("restart_window"),
    "StartLimitBurst": mapped("max_restarts"),
    "TimeoutSec": mapped("start_timeout and stop_timeout"),
    "TimeoutStartSec": mapped("start_timeout; of a “oneshot” max_age"),
    "TimeoutStopSec": mapped("stop_timeout"),
    "KillSignal": mapped("stop_signal"),
    "RuntimeMaxSec": mapped("max_age"),
    "Nice": mapped("nice"),
    "WorkingDirectory": mapped("working_directory"),
    "UMask": mapped("umask"),
    "Environment": mapped("environment"),
    **_share(mapped("max_memory, as a suggestion"), "MemoryMax MemoryHigh MemoryLimit"),
    "EnvironmentFile": service("What that file sets belongs into the service's environment."),
    "PassEnvironment": service("A job has the service's environment."),
    "UnsetEnvironment": service("A job has the service's environment."),
    **_share(_ONE_USER, "User Group SupplementaryGroups DynamicUser"),
    **_share(_FOR_TARGETS, "WatchdogSec WatchdogSignal NotifyAccess"),
    **_share(_AROUND, "ExecStartPre ExecStartPost ExecStopPost"),
    "ExecStop": dropped("workerd stops a job by its stop signal."),
    "ExecCondition": blocks("It runs only where ExecCondition= allows it: have the command decide."),
    "PIDFile": _ITSELF,
    **_share(_RELOAD, "ExecReload ExecReloadPost"),
    **_share(_SOCKETS, "Sockets BusName USBFunctionDescriptors USBFunctionStrings OpenFile"),
    **_share(_TREE, "KillMode SendSIGKILL SendSIGHUP FinalKillSignal RestartKillSignal TimeoutAbortSec"),
    **_share(_ENDS, "RestartPreventExitStatus RestartForceExitStatus SuccessExitStatus RemainAfterExit ExitType"),
    **_share(
        _KNOWN_BY_ROW,
        """
        GuessMainPID RuntimeRandomizedExtraSec RestartSteps RestartMode ReloadSignal NonBlocking
        FileDescriptorStoreMax FileDescriptorStorePreserve TimeoutStartFailureMode
        TimeoutStopFailureMode TimeoutCleanSec StartLimitAction FailureAction RebootArgument
        PermissionsStartOnly RootDirectoryStartOnly OOMPolicy
        """,
    ),
    **_share(_ONE_LOG, "StandardOutput StandardError"),
    **_share(dropped("A job reads no input."), "StandardInput StandardInputText StandardInputData"),
    **_share(
        _OWN_UNIT,
        """
        OOMScoreAdjust CoredumpFilter CoredumpReceive NUMAPolicy NUMAMask RemoveIPC SecureBits
        CapabilityBoundingSet AmbientCapabilities TimerSlackNSec NoNewPrivileges KeyringMode ProcSubset
        LockPersonality Personality ReadWriteDirectories ReadOnlyDirectories InaccessibleDirectories
        ReadWritePaths ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths ExecSearchPath BindPaths
        BindReadOnlyPaths BindLogSockets TemporaryFileSystem NetworkNamespacePath UserNamespacePath
        MountFlags MountAPIVFS MountImages PAMName IgnoreSIGPIPE SELinuxContext AppArmorProfile
        SmackProcessLabel Slice AllowedCPUs AllowedMemoryNodes DisableControllers BPFProgram
        NFTSet SetLoginEnvironment MountImagePolicy
        """,
    ),
}

TIMER: Mapping[str, Directive] = {
    "OnCalendar": mapped("schedule and time_zone"),
    **_share(mapped("schedule"), "OnUnitActiveSec OnUnitInactiveSec"),
    **_share(mapped("schedule; alone, none: it runs once"), "OnActiveSec OnBootSec OnStartupSec"),
    **_share(blocks("It runs when the clock is set, which no schedule says."), "OnClockChange OnTimezoneChange"),
    "Unit": mapped("command, from the service that it names"),
    "Persistent": mapped("start_within"),
    **_share(mapped("spread"), "RandomizedDelaySec RandomizedOffsetSec"),
    "FixedRandomDelay": dropped("A spread is the same at each time."),
    "AccuracySec": dropped("A schedule is due at the second."),
    "WakeSystem": dropped("workerd wakes no machine; start_within makes up for what a machine slept through."),
    "DeferReactivation": dropped("A time that comes while a run goes on is what the row's overlap says."),
    "RemainAfterElapse": _KNOWN_BY_ROW,
}

INSTALL: Mapping[str, Directive] = _share(_SWITCH, "Alias WantedBy RequiredBy UpheldBy Also DefaultInstance")

TABLES: Mapping[str, Mapping[str, Directive]] = {
    "Unit": UNIT,
    "Service": SERVICE,
    "Timer": TIMER,
    "Install": INSTALL,
}

_OWN = (
    "Limit Protect Private Restrict SystemCall Root Extension Runtime State Cache Logs Configuration SetCredential "
    "LoadCredential ImportCredential Startup CPU IO BlockIO IP Device Delegate ManagedOOM SocketBind DefaultMemory "
    "Tasks Memory"
)
CLASSES: tuple[tuple[str, str, Directive], ...] = (
    ("Unit", "Condition Assert", _AT_BOOT),
    ("Service", "Syslog Log TTY Utmp", _ONE_LOG),
    ("Service", _OWN, _OWN_UNIT),
)
"""The section, what the names begin with, and the fate of those in no table."""


def fate_of(section: str, name: str) -> Directive | None:
    """Return the fate of a directive, None where systemd knows none of that name there."""
    if found := TABLES.get(section, {}).get(name):
        return found
    return next((directive for own, names, directive in CLASSES if own == section and belongs(name, names)), None)


def belongs(name: str, beginnings: str) -> bool:
    """Return whether a directive begins with one of these words, written as systemd joins them."""
    return re.fullmatch(rf"({'|'.join(beginnings.split())})([A-Z]\w*)?", name, re.ASCII) is not None
