"""Where a loss curve goes: an interval for the loss to come, and when a target will be reached."""

from undertow.forecast.forecast import Arrival, Forecast, Gain, Interval, forecast
from undertow.forecast.history import History
from undertow.forecast.outlook import Outlook, Reach, outlook

__all__ = ["Arrival", "Forecast", "Gain", "History", "Interval", "Outlook", "Reach", "forecast", "outlook"]
