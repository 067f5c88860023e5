"""The node's row, as a ledger tells of it: it is this life's, or that another daemon has taken it."""

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.processes.child import Child
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.messages import NodeDisplaced, NodeRegistered
from workerd.wire.reasons import Reason

from .ledger import LEDGER_SPEC
from .parts import Parts


class Registration:
    """Tells each ledger who the node is, and the daemon what has become of its row."""

    def __init__(self, parts: Parts) -> None:
        self._log = parts.log
        self._identity = parts.identity
        self._versions = parts.versions
        self._shown_as = ""
        self.on_displaced: Listeners[[Reason]] = Listeners()
        """Told why, once, when another daemon has taken the row: this one is to end."""
        self.on_anew: Listeners[[]] = Listeners()
        """Told when the row had gone: all that this daemon has written is to be written again."""
        parts.effects.on_licensing.add(self._license)
        parts.ledger.on_registration.add(self._heard)

    def say_fault(self) -> None:
        """Log that the key could not be read, if so."""
        if self._identity.fault:
            self._log.emit("node.key_replaced", path=self._identity.path, reason=self._identity.fault)

    def _license(self, slot: LiveSlot, child: Child) -> None:
        if slot.spec is LEDGER_SPEC:
            child.terms.update(self._identity.terms(), version=self._versions.first)

    def _heard(self, message: NodeRegistered | NodeDisplaced) -> None:
        match message:
            case NodeRegistered():
                self._registered(message)
            case NodeDisplaced():
                self._displaced(message)

    def _registered(self, message: NodeRegistered) -> None:
        self._identity.registered = True
        if message.displaced:
            reason = f"it has the same NAME and host, or the same STATE_DIR or a copy: {message.displaced}"
            self._log.emit("node.taken_over", reason=reason)
        if message.shown_as != self._shown_as:
            self._shown_as = message.shown_as
            if message.shown_as:
                self._log.emit("node.name_taken", shown_as=message.shown_as)
        if message.anew:
            self.on_anew()

    def _displaced(self, message: NodeDisplaced) -> None:
        if message.life:
            self._identity.yield_to(message.life)
        if not self._identity.displaced:
            self._identity.displaced = True
            self._log.emit("node.displaced", reason=message.reason)
            self.on_displaced(Reason(message.reason))
