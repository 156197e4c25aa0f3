"""What can be wrong with a campaign."""

from tidings.core.errors import Conflict, NotFound


class CampaignNotFound(NotFound):
    """No such campaign in this workspace."""

    code = "campaign_not_found"


class WrongState(Conflict):
    """The campaign's status does not allow this; the message names the status."""

    code = "campaign_wrong_state"
