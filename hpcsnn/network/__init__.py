"""What the user declares: populations on grids and the projections between them."""

from hpcsnn.network.grid import Grid
from hpcsnn.network.network import Network
from hpcsnn.network.population import Population
from hpcsnn.network.projection import Projection

__all__ = ["Grid", "Network", "Population", "Projection"]
