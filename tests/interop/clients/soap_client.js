// soap (npm) calls the service: node soap_client.js WSDL ADDRESS|- PORT NUMBER ITEM-LENGTH
// Prints what it got, plain, or the fault's sentence. A proxy is told by http_proxy.

import soap from 'soap';

const [wsdl, address, port, number, length] = process.argv.slice(2);
const options = { forceSoap12Headers: port === 'Soap12' };
if (address !== '-') options.endpoint = address;
const client = await soap.createClientAsync(wsdl, options);
try {
  const order = { number, item: ['x'.repeat(Number(length))] };
  const place = client.OrderService[port].PlaceOrder;
  const answer = await new Promise((resolve, reject) =>
    place(order, (error, result) => (error ? reject(error) : resolve(result))),
  );
  console.log(`order ${answer.number} ${answer.status}`);
} catch (error) {
  const fault = error.root?.Envelope?.Body?.Fault;
  if (!fault) throw error;
  const code = fault.faultcode ?? fault.Code.Value;
  const text = fault.faultstring ?? fault.Reason.Text;
  console.log(`fault ${(code.$value ?? code).split(':').at(-1)}: ${text.$value ?? text}`);
}
