"""What the user declares: populations on grids, or somewhere else, and the projections between them."""

from hpcsnn.network.grid import Grid
from hpcsnn.network.network import Network
from hpcsnn.network.places.positions import Positions
from hpcsnn.network.population import Population
from hpcsnn.network.projection import Projection

__all__ = ["Grid", "Network", "Population", "Positions", "Projection"]
